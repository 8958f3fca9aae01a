"""Ways of computing the same ten features (seventeen columns), each run in a process of its own."""

from dataclasses import dataclass

__all__ = ["COLUMNS", "SCENARIOS", "TYPES", "WAYS", "Way"]

TYPES = ("login", "session", "page_view", "email_open", "invoice", "ticket", "demo_request", "download")
COLUMNS = (
    "events_7d",
    "events_30d",
    "days_since_login",
    "types_30d",
    "active_days_30d",
    "amount_90d",
    "mean_gap",
    "weekend_share",
    "paid_30d",
    *(f"n_{kind}" for kind in TYPES),
)
SCENARIOS = {"snapshots": "12 weekly snapshots", "own": "one own as_of a lead (creation + 30 d)"}


@dataclass(frozen=True)
class Way:
    """One way of computing the features.

    Attributes
    ----------
    label : str
        Its row in the table.
    module : str
        The module here whose `run(way, job, watch)` computes it.
    needs : str or None
        A package that is not leadscore's: the way runs under the peers' Python, where that has it.
    most_events : float
        It is not run on longer logs.
    kept : bool
        It starts from what a run before has kept on disk.
    partial : bool
        It computes some leads' rows; its time is extrapolated to all.
    """

    label: str
    module: str
    needs: str | None = None
    most_events: float = float("inf")
    kept: bool = False
    partial: bool = False


WAYS = {
    "article": Way("pandas, filter + groupby a feature", "article"),
    "loop": Way("pandas, a loop over leads", "article", partial=True),
    "plain": Way("leadscore, functions", "plain", kept=True),
    "plain2": Way("leadscore, functions, 2 processes", "plain", kept=True),
    "bare": Way("the same functions, on the same rows", "plain", most_events=2e6, kept=True),
    "cold": Way("leadscore, declared, from Parquet", "declared"),
    "prepared": Way("leadscore, declared, prepared log", "declared", kept=True),
    "plain_again": Way("leadscore, functions, unchanged", "again", kept=True),
    "again": Way("leadscore, declared, unchanged", "again", kept=True),
    "polars": Way("polars, in memory", "with_polars", needs="polars"),
    "polars_streaming": Way("polars, streaming", "with_polars", needs="polars"),
    "duckdb": Way("duckdb, SQL with bitsets", "with_duckdb", needs="duckdb"),
    "featuretools": Way("featuretools", "with_featuretools", needs="featuretools", most_events=1e6, partial=True),
}
