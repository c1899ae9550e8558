-- Tell the planner what a large load brought; autovacuum would take a minute.
ANALYZE app.insights_daily, app.account_daily, app.object
