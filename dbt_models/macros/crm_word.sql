{# A word of the CRM as the seeds have it: in lower case, with underscores instead of spaces. #}
{% macro crm_word(text) -%}
    replace(lower(trim({{ text }})), ' ', '_')
{%- endmacro %}

{# A stage as a word, also where the CRM tells it by a number that the var `crm_stage_names` names. #}
{% macro crm_stage(text) -%}
    {%- set names = var('crm_stage_names') -%}
    {%- if not names -%}
        {{ crm_word(text) }}
    {%- else -%}
        case {{ text }}
            {%- for number, name in names.items() %}
            when '{{ number }}' then {{ crm_word("'" ~ (name | replace("'", "''")) ~ "'") }}
            {%- endfor %}
            else {{ crm_word(text) }}
        end
    {%- endif -%}
{%- endmacro %}
