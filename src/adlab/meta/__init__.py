"""The Graph API, and nothing else: requests, paging, limits, errors, wire JSON to our values.

The hot read path speaks HTTP itself; `facebook-business` gives the names of fields and enums.
"""
