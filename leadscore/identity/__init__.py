"""What makes two runs the same question, in parts: config, code, data, environment, seed."""

from leadscore.identity.asked import HASH_VERSION, canonical_config, config_hash, digest
from leadscore.identity.run_id import new_run_id
from leadscore.identity.surroundings import environment, git_state

__all__ = ["HASH_VERSION", "canonical_config", "config_hash", "digest", "environment", "git_state", "new_run_id"]
