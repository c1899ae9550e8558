"""Parameters that several endpoints have in common, bounded before anything looks at them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Path, Query

AccountId = Annotated[
    str, Path(description="An ad account: act_… or digits.", max_length=40,
              openapi_examples={"one": {"value": "act_1001"}}),
]  # fmt: skip
ObjectId = Annotated[str, Path(description="Id of an object.", max_length=40)]
Slug = Annotated[str, Path(description="Slug of a client.", max_length=80)]
Since = Annotated[date | None, Query(description="First day, in the account's own calendar.")]
Until = Annotated[date | None, Query(description="Last day, included; yesterday when omitted.")]
Last = Annotated[
    str | None,
    Query(description="Instead of since: 30d, 4w, 3m, mtd, last_month, qtd, ytd, yesterday.",
          pattern=r"^([0-9]{1,4}[dwm]|today|yesterday|mtd|last_month|qtd|ytd)$"),
]  # fmt: skip
MetricNames = Annotated[
    list[str], Query(description="Metrics, repeated or with commas between.", max_length=40)
]
Limit = Annotated[int, Query(ge=1, le=5000, description="Rows of a page.")]
Cursor = Annotated[
    str | None,
    Query(description="`next` of the page before.", pattern=r"^[A-Za-z0-9_-]{1,200}$"),
]
Status = Annotated[
    str | None,
    Query(description="Only objects with this effective status, such as ACTIVE.",
          pattern=r"^[A-Z_]{1,40}$"),
]  # fmt: skip
