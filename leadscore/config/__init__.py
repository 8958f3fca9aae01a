"""The config room: composes a run from small files, and refuses it in words before anything else happens."""
