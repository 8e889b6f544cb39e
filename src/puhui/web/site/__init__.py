"""The public site: who we are, what a loan costs, with whom we work, how to complain, privacy, accessibility, open figures. All from live data."""

from puhui.web.site.pages import PAGES

ROUTES = PAGES
