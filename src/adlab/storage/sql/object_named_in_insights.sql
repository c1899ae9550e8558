-- Objects that insights name but no entity read has shown yet (deleted ones, or a faster read).
INSERT INTO app.object (client_id, account_id, level, object_id, campaign_id, ad_set_id, name)
SELECT client_id, account_id, level, object_id, campaign_id, ad_set_id, name FROM stage_object
ON CONFLICT (account_id, level, object_id) DO NOTHING
