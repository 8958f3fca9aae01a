"""Who a lead is."""

import numpy as np

from leadscore.features.registry import feature

__all__ = ["log_company_size"]


@feature(source="leads", columns=["company_size"], missing="company size not given", unit="log2 of employees")
def log_company_size(leads_df):
    """Company size on a scale on which each step of one doubles it."""
    return np.log2(leads_df.set_index("user_id")["company_size"].clip(lower=1))
