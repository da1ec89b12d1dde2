with messages as (
    select * from {{ ref('stg_web__events') }}
    -- says who somebody is, not what they did
    where message_type in ('track', 'page', 'screen')
)

select
    {{ event_columns(
        event_id="'web:' || message_id",
        record_key="'web:' || message_id",
        source="'web'",
        channel="'web'",
        event_name="case message_type when 'track' then event when 'page' then 'Page Viewed' else 'Screen Viewed' end",
        occurred_at='occurred_at',
        identifier_type=strongest_type(['user_id', 'anonymous_id']),
        identifier='coalesce(user_id, anonymous_id)',
        anonymous_id='anonymous_id',
        object_name='name',
        value='value',
        currency='currency',
        product_id='product_id',
        product_name='product_name',
        product_category='product_category',
        search_keyword='search_keyword',
        page_url='page_url',
        page_path='page_path',
        page_title='page_title',
        referrer='referrer',
        utm_source='utm_source',
        utm_medium='utm_medium',
        utm_campaign='utm_campaign',
        utm_term='utm_term',
        utm_content='utm_content',
        user_agent='user_agent',
        locale='locale',
        time_zone='time_zone',
        properties='properties'
    ) }}
from messages
