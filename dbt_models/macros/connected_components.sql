{#
A select of (identifier_key, component) for every key that stands in `edges` (left_key, right_key): two keys have the same component
exactly when a path of edges joins them, and the component is the smallest key on it.

The graph is contracted round by round until no edge is left. In a round every key points at the least of itself and its
neighbours, the pointers are followed to their roots, and the edges between roots are the next round's graph. Nothing is cut off
after a fixed number of rounds, so long chains come out right; a chain shrinks at least by half in a round. The statements are plain
(create table as, min, join, distinct), so that any warehouse runs them.
#}
{% macro connected_components(edges) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- do contract(edges) -%}
        select node as identifier_key, root as component from component_map
    {%- else -%}
        select cast(null as bigint) as identifier_key, cast(null as bigint) as component where false
    {%- endif -%}
{%- endmacro %}

{# Leaves the answer in the temporary table `map` (node, root). Where each edge stands there once, the lesser key left, that need not be made sure of. #}
{% macro contract(edges, map='component_map', are_distinct=false) -%}
    {%- if are_distinct -%}
        {%- do create_temporary('component_edges', 'select left_key as a, right_key as b from ' ~ edges) -%}
    {%- else -%}
        {%- do create_temporary('component_edges', '
            select distinct least(left_key, right_key) as a, greatest(left_key, right_key) as b from ' ~ edges ~ ' where left_key <> right_key
        ') -%}
    {%- endif -%}
    {%- do contract_edges() -%}
    {%- do create_temporary(map, 'select node, root from component_roots') -%}
    {%- set graph = namespace(edges=count_rows('component_edges') | int) -%}
    {%- for round in range(1000) if graph.edges > 0 -%}
        {%- do contract_edges() -%}
        {%- do create_temporary('component_next_map', '
            select m.node, coalesce(r.root, m.root) as root
            from ' ~ map ~ ' as m
            left join component_roots as r on m.root = r.node
        ') -%}
        {%- do create_temporary(map, 'select * from component_next_map') -%}
        {%- set graph.edges = count_rows('component_edges') | int -%}
    {%- endfor -%}
    {%- for name in ['edges', 'next_edges', 'next_map', 'parents', 'pointers', 'jumps', 'roots'] -%}
        {%- do run_query('drop table if exists component_' ~ name) -%}
    {%- endfor -%}
{%- endmacro %}

{# One round: `component_edges` becomes the graph of the roots, `component_roots` leads every node it had to its root. #}
{% macro contract_edges() -%}
    {%- do create_temporary('component_parents', '
        select node, min(neighbour) as parent
        from (
            select b as node, a as neighbour from component_edges
            union all
            select distinct a, a from component_edges
        ) as pairs
        group by node
    ') -%}
    {%- do follow_pointers() -%}
    {%- do create_temporary('component_next_edges', '
        select distinct least(a.root, b.root) as a, greatest(a.root, b.root) as b
        from component_edges as e
        -- the edge to its own parent leads a key nowhere else
        join component_roots as b on e.b = b.node and e.a <> b.parent
        join component_roots as a on e.a = a.node
        where a.root <> b.root
    ') -%}
    {%- do create_temporary('component_edges', 'select * from component_next_edges') -%}
{%- endmacro %}

{#
`component_roots`: every node of `component_parents` with the end of its chain of parents. Only the distinct parents are followed, and
each step doubles the length.
#}
{% macro follow_pointers() -%}
    {%- do create_temporary('component_pointers', '
        select node, parent
        from component_parents
        where node in (select parent from component_parents)
    ') -%}
    {%- set pointers = namespace(moved=1) -%}
    {%- for step in range(1000) if pointers.moved > 0 -%}
        {%- do create_temporary('component_jumps', '
            select p.node, q.parent, p.parent <> q.parent as moved
            from component_pointers as p
            join component_pointers as q on p.parent = q.node
        ') -%}
        {%- set pointers.moved = count_rows('component_jumps where moved') | int -%}
        {%- do create_temporary('component_pointers', 'select node, parent from component_jumps') -%}
    {%- endfor -%}
    {%- do create_temporary('component_roots', '
        select p.node, p.parent, q.parent as root
        from component_parents as p
        join component_pointers as q on p.parent = q.node
    ') -%}
{%- endmacro %}
