"""The borrower's doors: the JSON API that every app may speak, and the pages for a cheap phone that stand on the same steps.

`api` is the JSON; `stepping` takes a step for a page with the API's own key discipline; `visit` is one person at the door (cookies, language,
who may frame us); `form` reads what he sent; `render` draws; `pages/` is the way through, page by page.
"""

from puhui.web.borrower import api
from puhui.web.borrower.pages import PAGES

ROUTES = [*api.ROUTES, *PAGES]
