-- In: client_ids. Out: creatives as ads brought them, with the whole of those read apart.
SELECT o.object_id AS creative_id, o.account_id, coalesce(c.name, o.name) AS name,
       coalesce(c.status, o.status) AS status,
       coalesce(c.object_type, o.extra ->> 'object_type') AS object_type,
       coalesce(c.title, o.extra ->> 'title') AS title,
       coalesce(c.body, o.extra ->> 'body') AS body, c.call_to_action_type,
       coalesce(c.image_hash, o.extra ->> 'image_hash') AS image_hash,
       coalesce(c.video_id, o.extra ->> 'video_id') AS video_id,
       c.object_story_spec, c.asset_feed_spec, c.effective_object_story_id, c.url_tags,
       c.thumbnail_url
FROM api.objects o LEFT JOIN api.creatives c
  ON c.account_id = o.account_id AND c.creative_id = o.object_id
WHERE o.client_id = ANY (:client_ids) AND o.level = 5
UNION ALL
SELECT c.creative_id, c.account_id, c.name, c.status, c.object_type, c.title, c.body,
       c.call_to_action_type, c.image_hash, c.video_id, c.object_story_spec, c.asset_feed_spec,
       c.effective_object_story_id, c.url_tags, c.thumbnail_url
FROM api.creatives c
WHERE c.client_id = ANY (:client_ids) AND NOT EXISTS (SELECT 1 FROM api.objects o
  WHERE o.account_id = c.account_id AND o.level = 5 AND o.object_id = c.creative_id)
ORDER BY name, creative_id
