{#
A select of (identifier_key, component) for every key that stands in `edges` (left_key, right_key): two keys have the same component
exactly when a path of edges joins them, and the component is the smallest key on it.

The graph is contracted round by round until no edge is left. In a round every key points at the least of itself and its
neighbours, the pointers are followed to their roots, and the edges between roots are the next round's graph. Nothing is cut off
after a fixed number of rounds, so long chains come out right; a chain shrinks at least by half in a round. The statements are plain
(create table as, min, join, distinct), so that any warehouse runs them. A key that points at itself stands in none of the tables.
#}
{% macro connected_components(edges) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- do contract(edges) -%}
        select node as identifier_key, root as component from component_map
        union
        select root, root from component_map
    {%- else -%}
        select cast(null as bigint) as identifier_key, cast(null as bigint) as component where false
    {%- endif -%}
{%- endmacro %}

{#
Leaves the answer in the temporary table `map` (node, root), where every key stands but the smallest of each component. Where each edge stands
in `edges` once, the lesser key left, that need not be made sure of.
#}
{% macro contract(edges, map='component_map', are_distinct=false) -%}
    {%- if are_distinct -%}
        {%- do create_temporary('component_edges', 'select left_key as a, right_key as b from ' ~ edges) -%}
    {%- else -%}
        {%- do create_temporary('component_edges', '
            select distinct least(left_key, right_key) as a, greatest(left_key, right_key) as b from ' ~ edges ~ ' where left_key <> right_key
        ') -%}
    {%- endif -%}
    {%- do contract_edges(1) -%}
    {%- set graph = namespace(edges=count_rows('component_edges') | int, rounds=1) -%}
    {%- for round in range(2, 1000) if graph.edges > 0 -%}
        {%- do contract_edges(round) -%}
        {%- set graph.rounds = round -%}
        {%- set graph.edges = count_rows('component_edges') | int -%}
    {%- endfor -%}
    {%- do create_temporary(map, 'select node, root from component_roots_' ~ graph.rounds) -%}
    {#- from the last round, which is small, to the first -#}
    {%- for round in range(graph.rounds - 1, 0, -1) -%}
        {%- do create_temporary('component_next_map', '
            select r.node, coalesce(m.root, r.root) as root
            from component_roots_' ~ round ~ ' as r
            left join ' ~ map ~ ' as m on r.root = m.node
            union all
            select node, root from ' ~ map
        ) -%}
        {%- do create_temporary(map, 'select node, root from component_next_map') -%}
    {%- endfor -%}
    {%- for name in ['edges', 'next_edges', 'next_map', 'parents', 'pointers', 'jumps'] -%}
        {%- do run_query('drop table if exists component_' ~ name) -%}
    {%- endfor -%}
    {%- for round in range(1, graph.rounds + 1) -%}
        {%- do run_query('drop table if exists component_roots_' ~ round) -%}
    {%- endfor -%}
{%- endmacro %}

{# One round: `component_edges` becomes the graph of the roots, `component_roots_` and the round leads every node it had to its root. #}
{% macro contract_edges(round) -%}
    {%- do create_temporary('component_parents', 'select b as node, min(a) as parent from component_edges group by b') -%}
    {%- do follow_pointers(round) -%}
    {%- do create_temporary('component_next_edges', '
        select distinct least(a.root, b.root) as a, greatest(a.root, b.root) as b
        from (
            select coalesce(r.root, e.a) as root, e.b as node
            from component_edges as e
            -- the edge to its own parent leads a key nowhere else
            join component_parents as p on e.b = p.node and e.a <> p.parent
            left join component_roots_' ~ round ~ ' as r on e.a = r.node
        ) as a
        join component_roots_' ~ round ~ ' as b on a.node = b.node
        where a.root <> b.root
    ') -%}
    {%- do create_temporary('component_edges', 'select a, b from component_next_edges') -%}
{%- endmacro %}

{#
`component_roots_` and the round: every node of `component_parents` with the end of its chain of parents. Only parents that have one
themselves are followed, and each step doubles the length.
#}
{% macro follow_pointers(round) -%}
    {%- do create_temporary('component_pointers', '
        select node, parent
        from component_parents
        where node in (select parent from component_parents)
    ') -%}
    {%- set pointers = namespace(moved=count_rows('component_pointers') | int) -%}
    {%- for step in range(1000) if pointers.moved > 0 -%}
        {%- do create_temporary('component_jumps', '
            select p.node, coalesce(q.parent, p.parent) as parent, q.parent is not null as moved
            from component_pointers as p
            left join component_pointers as q on p.parent = q.node
        ') -%}
        {%- set pointers.moved = count_rows('component_jumps where moved') | int -%}
        {%- do create_temporary('component_pointers', 'select node, parent from component_jumps') -%}
    {%- endfor -%}
    {%- do create_temporary('component_roots_' ~ round, '
        select p.node, coalesce(q.parent, p.parent) as root
        from component_parents as p
        left join component_pointers as q on p.parent = q.node
    ') -%}
{%- endmacro %}
