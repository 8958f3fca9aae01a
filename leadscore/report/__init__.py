"""The report room: pages for people, from what a run left in its folder."""

from leadscore.report.page import render_page
from leadscore.report.picture import Picture
from leadscore.report.run_page import render_run, write_run_page

__all__ = ["Picture", "render_page", "render_run", "write_run_page"]
