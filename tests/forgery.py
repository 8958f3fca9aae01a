"""What somebody may make up who may write a run's folder."""

import json
from pathlib import Path
from typing import Any

from leadscore.model import store


def forge(folder: Path, **changes: Any) -> None:
    """Edit a model's manifest, consistently with itself and with whatever lies there."""
    manifest = json.loads((folder / "manifest.json").read_bytes()) | changes
    manifest["files"] = store._fingerprints(folder, without="manifest.json")
    del manifest["sha256"]
    digest = store._sha256(store._canonical(manifest))
    (folder / "manifest.json").write_bytes(store._canonical({**manifest, "sha256": digest}))


def unrecorded(run: Path) -> None:
    """Take the model's sha256 out of a run's identity, as in runs that did not record it yet."""
    identity = json.loads((run / "identity.json").read_text())
    del identity["model_sha256"]
    (run / "identity.json").write_text(json.dumps(identity))
