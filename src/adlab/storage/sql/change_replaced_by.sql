-- In: change_ids, replaced_by. Points replaced wishes at the one that took their place.
UPDATE app.change_journal SET replaced_by = :replaced_by WHERE change_id = ANY (:change_ids)
