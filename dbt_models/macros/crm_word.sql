{# A word of the CRM as the seeds have it: in lower case, with underscores instead of spaces. #}
{% macro crm_word(text) -%}
    replace(lower(trim({{ text }})), ' ', '_')
{%- endmacro %}
