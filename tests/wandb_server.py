"""A stand-in for the server of Weights & Biases on loopback: it keeps what it is told, or fails in a chosen way.

It answers the few questions that one push asks; the names of the questions are wandb's.
"""

import gzip
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = {"id": "p", "internalId": "1", "name": "leadscore", "entity": {"id": "e", "name": "team"}}
WAYS = ("works", "hangs", "answers 500", "drops metrics", "takes no files", "goes away")


class Server:
    """What was told, and how it behaves."""

    def __init__(self, way: str) -> None:
        self.way, self.url = way, ""
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}  # by digest, as the real one keeps them
        self.files: list[bytes] = []
        self.asked: list[str] = []
        self.bodies: list[bytes] = []

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        """Return a status and what to say."""
        self.bodies.append(body)
        if self.way == "hangs":
            time.sleep(30)
        if self.way == "answers 500":
            return 500, {}
        if path.startswith("/files/"):
            return self._stream(path.split("/")[4], json.loads(body))
        if path.startswith("/up/"):
            self.files.append(body)
            return (403 if self.way == "takes no files" else 200), {}
        question = json.loads(body)
        name = re.search(r"(?:query|mutation) (\w+)", question["query"])[1]  # type: ignore[index]
        self.asked.append(name)
        said = getattr(self, f"say_{name}", lambda _: None)(question.get("variables") or {})
        return 200, {"data": said}

    def _stream(self, run: str, told: dict[str, Any]) -> tuple[int, Any]:
        if self.way == "drops metrics":
            return 404, {}
        for name, part in told.get("files", {}).items():
            if name == "wandb-history.jsonl":
                self.runs[run]["history"] += [json.loads(line) for line in part["content"]]
            elif name == "wandb-summary.json":
                self.runs[run]["summary"] = json.loads(part["content"][-1])
        return 200, {}

    def say_RunResumeStatus(self, asked: dict[str, Any]) -> Any:
        run = self.runs.get(asked["name"])
        if run is None:
            return {"model": None}
        tail = json.dumps([json.dumps(run["history"][-1])] if run["history"] else [])
        bucket = {
            "id": "b",
            "name": asked["name"],
            "summaryMetrics": json.dumps(run["summary"]),
            "displayName": run["name"],
            "logLineCount": 0,
            "historyLineCount": len(run["history"]),
            "eventsLineCount": 0,
            "historyTail": tail,
            "eventsTail": "[]",
            "config": json.dumps({key: {"value": value} for key, value in run["config"].items()}),
            "tags": [],
            "notes": "",
            "wandbConfig": '{"t": 1}',
        }
        return {"model": {"id": "p", "name": "leadscore", "entity": PROJECT["entity"], "bucket": bucket}}

    def say_UpsertBucket(self, asked: dict[str, Any]) -> Any:
        run = self.runs.setdefault(asked["name"], {"history": [], "summary": {}, "name": None})
        told = {"name": "displayName", "group": "groupName", "job_type": "jobType", "tags": "tags", "notes": "notes"}
        run.update({key: asked[theirs] for key, theirs in told.items() if asked.get(theirs)})
        run["config"] = {key: each["value"] for key, each in json.loads(asked["config"]).items()}
        bucket = {"id": "b", "name": asked["name"], "displayName": run["name"], "config": asked["config"]}
        bucket |= {"description": None, "sweepName": None, "project": PROJECT, "historyLineCount": len(run["history"])}
        if self.way == "goes away":
            self.way = "hangs"
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def say_Viewer(self, _: dict[str, Any]) -> Any:
        teams = {"edges": [{"node": {"name": "team"}}]}
        return {"viewer": {"id": "u", "entity": "team", "username": "u", "email": "", "flags": "{}", "teams": teams}}

    say_GetDefaultEntity = say_Viewer  # noqa: N815

    def say_ServerFeaturesQuery(self, _: dict[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def say_ArtifactType(self, _: dict[str, Any]) -> Any:
        return {"project": {"artifact": None}}

    def say_CreateArtifact(self, asked: dict[str, Any]) -> Any:
        told = asked["input"]
        name, digest = told["artifactCollectionName"], told["digest"]
        kept = self.artifacts.setdefault(digest, {"name": name, "type": told["artifactTypeName"], "files": []})
        kept["aliases"] = sorted(each["alias"] for each in told["aliases"])
        kept["metadata"] = json.loads(told.get("metadata") or "{}")
        sequence = {"id": "s", "latestArtifact": None}
        state = "COMMITTED" if kept.get("whole") else "PENDING"
        return {"createArtifact": {"artifact": {"id": digest, "state": state, "artifactSequence": sequence}}}

    def say_CreateArtifactManifest(self, asked: dict[str, Any]) -> Any:
        file = {"id": "f", "name": "m", "displayName": "m", "uploadUrl": f"{self.url}/up/manifest", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": asked["artifactID"], "file": file}}}

    def say_UpdateArtifactManifest(self, asked: dict[str, Any]) -> Any:
        made = self.say_CreateArtifactManifest({"artifactID": asked["artifactManifestID"]})
        return {"updateArtifactManifest": made["createArtifactManifest"]}

    def say_CreateArtifactFiles(self, asked: dict[str, Any]) -> Any:
        nodes = []
        for file in asked["input"]["artifactFiles"]:
            self.artifacts[file["artifactID"]]["files"].append(file["name"])
            node = {"id": "f", "name": file["name"], "displayName": file["name"], "uploadUrl": f"{self.url}/up/file"}
            node |= {"uploadHeaders": [], "storagePath": "s", "uploadMultipartUrls": None, "artifact": {"id": "a"}}
            nodes.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def say_CommitArtifact(self, asked: dict[str, Any]) -> Any:
        self.artifacts[asked["artifactID"]]["whole"] = True
        return {"commitArtifact": {"artifact": {"id": asked["artifactID"], "digest": asked["artifactID"]}}}

    def say_ArtifactByID(self, asked: dict[str, Any]) -> Any:
        sequence = {"__typename": "ArtifactSequence", "name": "n", "project": PROJECT}
        said = {"__typename": "Artifact", "id": asked["id"], "artifactSequence": sequence, "versionIndex": 0}
        said |= {"artifactType": {"name": "model"}, "description": None, "metadata": "{}", "ttlDurationSeconds": -2}
        said |= {"ttlIsInherited": True, "tags": [], "historyStep": None, "state": "COMMITTED", "size": 1}
        said |= {"digest": asked["id"], "commitHash": "c", "fileCount": 1, "aliases": []}
        return {"artifact": said | {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}}

    def say_Run(self, asked: dict[str, Any]) -> Any:
        run = self.runs[asked["name"]]
        nothing = ("sweepName", "group", "jobType", "commit", "description", "notes", "heartbeatAt", "historyKeys")
        said = dict.fromkeys(nothing) | {"id": "b", "projectId": "1", "tags": [], "name": asked["name"]}
        said |= {"displayName": run["name"], "state": "finished", "config": "{}", "readOnly": False}
        said |= {"createdAt": "2026-01-01T00:00:00Z", "systemMetrics": "{}", "user": {"name": "u", "username": "u"}}
        said |= {"summaryMetrics": json.dumps(run["summary"]), "historyLineCount": len(run["history"])}
        return {"project": {"run": said}}

    def say_CreateRunFiles(self, asked: dict[str, Any]) -> Any:
        files = [{"name": name, "uploadUrl": f"{self.url}/up/run"} for name in asked["files"]]
        return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}


@contextmanager
def serving(way: str) -> Iterator[Server]:
    """Serve on a free port of loopback."""
    server = Server(way)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            status, said = server.answer(self.path, body)
            out = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(out)))
            self.end_headers()
            self.wfile.write(out)

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):
                super().handle_error(*_)  # type: ignore[arg-type]

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        http.shutdown()


def refusing() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
