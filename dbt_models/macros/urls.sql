{# The value of one query parameter of a URL, null where it is missing. #}
{% macro url_parameter(url, name) -%}
    nullif(regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1), '')
{%- endmacro %}

{# The host of a URL without a leading www, null where there is none. #}
{% macro url_host(url) -%}
    nullif(lower(regexp_extract({{ url }}, '^[a-zA-Z]+://(?:www\.)?([^/:?#]+)', 1)), '')
{%- endmacro %}
