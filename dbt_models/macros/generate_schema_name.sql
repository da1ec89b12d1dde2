{# Schemas carry their bare names, so that activation and BI find a model wherever the project is built. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
