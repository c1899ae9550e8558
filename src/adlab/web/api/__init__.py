"""The REST API: `/api/v1`, and the seed's `/api/meta` paths as thin aliases of it.

It is served by the web process and knows no cookies: whoever calls shows a token of `adlab token`,
or of the hub. Everything is read under the person's own database role, so the database decides what
they see; a token can only narrow that.
"""
