{# The value of one query parameter of a URL, null where it is missing. Most URLs have none, and finding that out is cheap. #}
{% macro url_parameter(url, name) -%}
    case when {{ url }} like '%{{ name }}=%' then nullif(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '') end
{%- endmacro %}

{# The host of a URL without a leading www, null where there is none. #}
{% macro url_host(url) -%}
    nullif(lower(regexp_extract({{ url }}, '^[a-zA-Z]+://(?:www\.)?([^/:?#]+)', 1)), '')
{%- endmacro %}
