"""A loop around `bare_script.py` that logs each fit to MLflow: parameters, metrics and the model, in a local folder.

Usage: python benchmarks/mlflow_script.py FOLDER SEEDS, by a Python that has mlflow beside what the script needs.
"""

import os
import runpy
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
from sklearn.metrics import average_precision_score, roc_auc_score

folder, seeds = sys.argv[1], int(sys.argv[2])
mlflow.set_tracking_uri(f"sqlite:///{Path.cwd() / 'mlflow.db'}")
mlflow.set_experiment("sweep")
sys.argv = ["bare_script.py", folder]
for seed in range(seeds):
    with mlflow.start_run():
        left = runpy.run_path(str(Path(__file__).with_name("bare_script.py")))
        mlflow.log_params({"seed": seed, **left["model"].get_params()})
        y, p = left["y"], left["p"]
        mlflow.log_metrics({"auc": roc_auc_score(y, p), "ap": average_precision_score(y, p)})
        mlflow.lightgbm.log_model(left["model"], name="model", pip_requirements=["lightgbm"])  # else it asks around
