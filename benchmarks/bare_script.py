"""The notebook's way, as one script: read, seven hand-made features, LightGBM, metrics. No checks, no record.

Usage: python benchmarks/bare_script.py FOLDER, with leads.csv and events.csv as `overhead.py` writes them.
"""

import sys
from pathlib import Path

import lightgbm
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

folder = Path(sys.argv[1])
DELAY, HORIZON = pd.Timedelta(days=7), pd.Timedelta(days=30)

leads = pd.read_csv(
    folder / "leads.csv", dtype={"user_id": "str", "country": "str"}, keep_default_na=False, na_values=[""]
)
events = pd.read_csv(
    folder / "events.csv", dtype={"user_id": "str"}, usecols=["user_id", "timestamp", "event_type", "ingested_at"]
)
for frame, columns in ((leads, ["created_at", "converted_at", "closed_at"]), (events, ["timestamp", "ingested_at"])):
    for column in columns:
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
data_end = max(
    frame.max(numeric_only=False) for frame in (events["timestamp"], events["ingested_at"], leads["created_at"])
)

leads["as_of"] = leads["created_at"] + DELAY
at_risk = ~(leads["converted_at"] < leads["as_of"]) & ~(leads["closed_at"] < leads["as_of"])
leads = leads[at_risk & (leads["as_of"] + HORIZON <= data_end)].sort_values(["as_of", "user_id"], ignore_index=True)
label = ((leads["converted_at"] >= leads["as_of"]) & (leads["converted_at"] < leads["as_of"] + HORIZON)).astype(int)

events = events.merge(leads[["user_id", "as_of"]], on="user_id")
events = events[(events["timestamp"] < events["as_of"]) & (events["ingested_at"] <= events["as_of"])]
events = events.sort_values(["user_id", "timestamp"], kind="stable")
age = events["as_of"] - events["timestamp"]
week = events[age <= pd.Timedelta(days=7)]
by_lead = events.groupby("user_id")
X = pd.DataFrame(index=leads["user_id"])
X["active_days_last_7_days"] = (age[week.index] // pd.Timedelta(days=1)).groupby(week["user_id"]).nunique()
X["company_size"] = leads["company_size"].to_numpy()
X["country"] = leads["country"].to_numpy()
X["days_since_last_event"] = age.groupby(events["user_id"]).min() / pd.Timedelta(days=1)
X["distinct_event_types"] = by_lead["event_type"].nunique()
X["events_last_7_days"] = week.groupby("user_id").size()
X["last_event_type"] = by_lead["event_type"].last()
X["plan"] = leads["plan"].to_numpy()
X["session_share_last_7_days"] = (week["event_type"] == "session").groupby(week["user_id"]).mean()
sessions = week[week["event_type"] == "session"]
recent = age[sessions.index]
X["sessions_last_24_hours"] = sessions[recent <= pd.Timedelta(days=1)].groupby("user_id").size()
X["sessions_last_7_days"] = sessions.groupby("user_id").size()
trend = (recent <= pd.Timedelta(days=2)).map({True: 1 / 2, False: -1 / 5})
X["sessions_trend_7_days"] = trend.groupby(sessions["user_id"]).sum()
X["source"] = leads["source"].to_numpy()
counts = [name for name in X if name.startswith(("active", "distinct", "events", "sessions"))]
X[counts] = X[counts].fillna(0.0)

valid_start = leads["as_of"].sort_values(ignore_index=True)[int(len(leads) * 0.75)]
train = (leads["as_of"] + HORIZON <= valid_start).to_numpy()
valid = (leads["as_of"] >= valid_start).to_numpy()
for name in ("country", "source", "plan", "last_event_type"):
    X[name] = X[name].astype(pd.CategoricalDtype(sorted(X[name][train].dropna().unique())))
model = lightgbm.LGBMClassifier(
    n_estimators=120,
    learning_rate=0.03,
    num_leaves=7,
    min_child_samples=40,
    subsample=0.8,
    colsample_bytree=0.8,
    reg_lambda=5.0,
    n_jobs=1,
    verbose=-1,
).fit(X[train], label[train])
p = model.predict_proba(X[valid])[:, 1]
y = label[valid]
print(f"n {len(y)} positives {y.sum()} train {train.sum()} sessions {X['sessions_last_7_days'].sum():.0f}")
print(f"auc {roc_auc_score(y, p):.3f} ap {average_precision_score(y, p):.3f}")
print(f"brier {brier_score_loss(y, p):.4f} log loss {log_loss(y, p):.4f}")
