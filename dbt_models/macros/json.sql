{# One value of a JSON column as text, null where it is missing. `path` is dotted: 'context.page.url'. #}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    json_extract_path_text({{ column }}, {% for part in path.split('.') %}'{{ part }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '${% for part in path.split('.') %}."{{ part }}"{% endfor %}')
{%- endmacro %}

{#
A select over a raw table with one text column for each entry of `fields` (column: dotted path in the payload) beside what landing
wrote. On an incremental model only the batches it has not seen yet are read.
#}
{% macro unpack(relation, fields) -%}
    {{ return(adapter.dispatch('unpack')(relation, fields)) }}
{%- endmacro %}

{% macro default__unpack(relation, fields) -%}
    select
        _event_id, _batch_id, _line, _landed_at
        {%- for name, path in fields.items() %},
        {{ json_text('payload', path) }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    where {{ unseen_batches(relation) }}
{%- endmacro %}

{# Through one struct, so that the payload is parsed once a row: half the time of a list of paths, a tenth of one call a path. #}
{% macro duckdb__unpack(relation, fields) -%}
    {%- set shape = json_shape(fields.values() | list) -%}
    select
        _event_id, _batch_id, _line, _landed_at
        {%- for name, path in fields.items() %},
        {% if path in shape.alone -%}
            {{ json_text('payload', path) }}
        {%- else -%}
            message{% for part in path.split('.') %}."{{ part }}"{% endfor %}
        {%- endif %} as {{ name }}
        {%- endfor %}
    from (
        select
            _event_id, _batch_id, _line, _landed_at, payload,
            json_transform(payload, '{{ tojson(shape.tree) }}') as message
        from {{ relation }}
        where {{ unseen_batches(relation) }}
    ) as messages
{%- endmacro %}

{#
The paths as a tree of text fields. What a struct cannot hold stands `alone` instead: an object that is looked into as well, and
names that differ in nothing but case.
#}
{% macro json_shape(paths) -%}
    {%- set tree, alone, names = {}, [], [] -%}
    {%- for path in paths -%}
        {%- do names.append(path | lower) -%}
        {%- for other in paths if other.startswith(path ~ '.') -%}
            {%- do alone.append(path) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for path in paths -%}
        {%- if names.count(path | lower) > 1 -%}
            {%- do alone.append(path) -%}
        {%- endif -%}
        {%- if path not in alone -%}
            {%- set place = namespace(node=tree) -%}
            {%- for part in path.split('.')[:-1] -%}
                {%- do place.node.setdefault(part, {}) -%}
                {%- set place.node = place.node[part] -%}
            {%- endfor -%}
            {%- do place.node.update({path.split('.')[-1]: 'VARCHAR'}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({'tree': tree, 'alone': alone}) }}
{%- endmacro %}
