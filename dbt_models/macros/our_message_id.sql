{# The id of a message of ours in what a vendor repeats of it; null where there is none. #}
{% macro our_message_id(text) -%}
    nullif(regexp_extract({{ text }}, '(m_[0-9a-f]{32})', 1), '')
{%- endmacro %}
