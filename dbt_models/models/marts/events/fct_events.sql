{{ whose_events(ref('int_events'), [
    'event_id', 'profile_id', 'identifier_key', 'device_key', 'source', 'channel', 'event_name', 'occurred_at', 'message_id', 'object_id',
    'object_name', 'value', 'currency', 'product_id', 'product_name', 'product_category', 'search_keyword', 'page_url', 'page_path', 'page_title',
    'referrer', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'user_agent', 'locale', 'time_zone', 'is_bot', 'properties',
    '_batch_id', '_landed_at'
]) }}
