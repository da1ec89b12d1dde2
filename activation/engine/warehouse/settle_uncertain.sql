-- A change or removal that may have arrived: nothing is known of it any more, so it is planned again whatever the source says by then.
update activation.sync_snapshot set hash = null, hash_version = 'uncertain'
where ref = $ref and $is_sync and key in (select key from outcomes where outcome = 'unknown' and operation in ('change', 'remove'));
