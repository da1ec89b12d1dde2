{# The columns every source of events has, with their types, in their order. #}
{% macro event_column_types() -%}
    {{ return({
        'event_id': 'varchar', 'record_key': 'varchar', 'source': 'varchar', 'channel': 'varchar', 'event_name': 'varchar',
        'occurred_at': 'timestamp', 'identifier_type': 'varchar', 'identifier': 'varchar', 'anonymous_id': 'varchar',
        'message_id': 'varchar', 'object_id': 'varchar', 'object_name': 'varchar', 'value': 'double', 'currency': 'varchar',
        'product_id': 'varchar', 'product_name': 'varchar', 'product_category': 'varchar', 'search_keyword': 'varchar',
        'page_url': 'varchar', 'page_path': 'varchar', 'page_title': 'varchar', 'referrer': 'varchar',
        'utm_source': 'varchar', 'utm_medium': 'varchar', 'utm_campaign': 'varchar', 'utm_term': 'varchar', 'utm_content': 'varchar',
        'user_agent': 'varchar', 'locale': 'varchar', 'time_zone': 'varchar', 'properties': 'varchar',
        '_batch_id': 'varchar', '_landed_at': 'timestamp'
    }) }}
{%- endmacro %}

{# A source's events in those columns, from the expressions given; what is not given is null. #}
{% macro event_columns() -%}
    {%- set given = dict(_batch_id='_batch_id', _landed_at='_landed_at', **kwargs) -%}
    {%- for name, type in event_column_types().items() %}
    cast({{ given.get(name, 'null') }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
