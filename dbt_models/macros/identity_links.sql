{#
A select of (left_key, right_key, strength, component): the pairs of identifiers that count, each with the component it lies in, named by
its smallest key. `edges` has left_key, right_key and the strength of the rule (1 is the strongest); `never` has the pairs that must not
become one (left_key, right_key).

Where this model has run before, only the components are resolved again that a new pair reaches, a vanished pair leaves, or a verdict
parts. What the select returns takes the place of what `leave_links` takes out of the table: the two belong into one transaction.
`changed` is a select of the pairs (left_key, right_key) that may have come, gone or got another strength since; without it all are compared.
#}
{% macro identity_links(edges, never, changed=none) -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- do create_temporary('link_never', never) -%}
        {%- if not is_incremental() -%}
            {%- do create_temporary('link_edges', strongest_pairs(edges)) -%}
        {%- else -%}
            {%- do compare_links(edges, this, changed) -%}
            {%- do reach_components(this) -%}
        {%- endif -%}
        {%- do resolve_links() -%}
        select e.left_key, e.right_key, e.strength, m.root as component
        from link_edges as e
        -- the greater key is never the smallest of its component
        join link_map as m on e.right_key = m.node
    {%- else -%}
        select
            cast(null as bigint) as left_key, cast(null as bigint) as right_key, cast(null as integer) as strength, cast(null as bigint) as component
        where false
    {%- endif -%}
{%- endmacro %}

{# Each pair once, the smaller key left, with the strength of the strongest rule that says so. #}
{% macro strongest_pairs(edges) -%}
    select least(left_key, right_key) as left_key, greatest(left_key, right_key) as right_key, min(strength) as strength
    from {{ edges }}
    where left_key <> right_key
    group by least(left_key, right_key), greatest(left_key, right_key)
{%- endmacro %}

{#
`link_added` and `link_removed`: how `edges` differ from `links`, in the pairs of `changed` or in all. A pair that another rule now says is
removed and added.
#}
{% macro compare_links(edges, links, changed=none) -%}
    {%- if changed -%}
        {%- do create_temporary('link_changed', '
            select distinct least(left_key, right_key) as left_key, greatest(left_key, right_key) as right_key from (' ~ changed ~ ') as pairs
        ') -%}
        {%- do create_temporary('link_accepted', strongest_pairs('(
            select e.left_key, e.right_key, e.strength
            from (select * from ' ~ edges ~ ') as e
            join link_changed as c on least(e.left_key, e.right_key) = c.left_key and greatest(e.left_key, e.right_key) = c.right_key
        ) as accepted')) -%}
        {%- do create_temporary('link_before', '
            select l.left_key, l.right_key, l.strength, l.component
            from ' ~ links ~ ' as l
            join link_changed as c on l.left_key = c.left_key and l.right_key = c.right_key
        ') -%}
    {%- else -%}
        {%- do create_temporary('link_accepted', strongest_pairs(edges)) -%}
        {%- do create_temporary('link_before', 'select left_key, right_key, strength, component from ' ~ links) -%}
    {%- endif -%}
    {%- do create_temporary('link_added', '
        select a.left_key, a.right_key, a.strength
        from link_accepted as a
        left join link_before as l on a.left_key = l.left_key and a.right_key = l.right_key and a.strength = l.strength
        where l.left_key is null
    ') -%}
    {%- do create_temporary('link_removed', '
        select l.left_key, l.right_key, l.component
        from link_before as l
        left join link_accepted as a on a.left_key = l.left_key and a.right_key = l.right_key and a.strength = l.strength
        where a.left_key is null
    ') -%}
{%- endmacro %}

{# `link_touched`, the components that `link_added`, `link_removed` or a verdict touches, and `link_edges`, every pair of them. #}
{% macro reach_components(links) -%}
    {%- do create_temporary('link_reached', '
        select left_key as node from link_added
        union
        select right_key from link_added
        union
        select left_key from link_never
    ') -%}
    {%- do create_temporary('link_touched', '
        select component from link_removed
        union
        select component from ' ~ links ~ ' where left_key in (select node from link_reached) or right_key in (select node from link_reached)
    ') -%}
    {%- do create_temporary('link_edges', '
        select left_key, right_key, strength from link_added
        union all
        select l.left_key, l.right_key, l.strength
        from ' ~ links ~ ' as l
        left join link_removed as r on l.left_key = r.left_key and l.right_key = r.right_key
        where l.component in (select component from link_touched) and r.left_key is null
    ') -%}
{%- endmacro %}

{# The pairs of the components that are resolved again, which what `identity_links` returns takes the place of. #}
{% macro leave_links(links) -%}
    {%- if execute and is_incremental() and flags.WHICH in ('run', 'build') -%}
        delete from {{ links }} where component in (select component from link_touched)
    {%- endif -%}
{%- endmacro %}

{#
Which pairs `identity_links` has to compare: those that were judged since. None, which is all of them, where somebody said of two that they
are never one, now or when it last ran: pairs are left out then that nothing tells from new ones.
#}
{% macro links_to_compare(since, never, judged) -%}
    {%- if since -%}
        {%- set parted = run_query('select count(*) from (' ~ never ~ ') as never').columns[0].values()[0] -%}
        {%- set before = run_query('select max(_parted) from ' ~ this ~ ' where _written_at = (select max(_written_at) from ' ~ this ~ ')').columns[0].values()[0] -%}
        {%- if parted == 0 and before == 0 -%}
            {{ return('select left_key, right_key from ' ~ judged ~ ' where _written_at > ' ~ since) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{# `link_map` (node, root) as of `contract` for `link_edges`, from which the pairs are taken that lie between two that are never the same. #}
{% macro resolve_links() -%}
    {%- do contract('link_edges', map='link_map', are_distinct=true) -%}
    {%- set parted = namespace(pairs=1) -%}
    {%- for step in range(100000) if parted.pairs > 0 -%}
        {%- do create_temporary('link_conflicts', '
            select n.left_key, n.right_key, coalesce(l.root, n.left_key) as root
            from link_never as n
            left join link_map as l on n.left_key = l.node
            left join link_map as r on n.right_key = r.node
            where coalesce(l.root, n.left_key) = coalesce(r.root, n.right_key) and n.left_key <> n.right_key
            order by n.left_key, n.right_key
            limit 1
        ') -%}
        {%- set parted.pairs = count_rows('link_conflicts') | int -%}
        {%- if parted.pairs > 0 -%}
            {%- do part_component() -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#
Parts the component of the one pair in `link_conflicts`. Every node goes to the side it is tied to more strongly: the strongest rule's
edges are followed first, a step at a time from both sides, then the next rule's; where both sides are equally near, the left one has
it. What is tied together by stronger edges moves as a whole. The edges that then lie between the sides are taken out.
#}
{% macro part_component() -%}
    {%- do create_temporary('part_edges', '
        select e.left_key, e.right_key, e.strength
        from link_edges as e
        join link_map as m on e.right_key = m.node
        join link_conflicts as c on m.root = c.root
    ') -%}
    {%- do create_temporary('part_groups', '
        select m.node, m.node as party from link_map as m join link_conflicts as c on m.root = c.root union all select root, root from link_conflicts
    ') -%}
    {%- do create_temporary('part_sides', 'select left_key as party, 1 as side from link_conflicts union all select right_key, 2 from link_conflicts') -%}
    {%- for strength in run_query('select distinct strength from part_edges order by strength').columns[0].values() -%}
        {%- do create_temporary('part_ties', '
            select l.party as left_key, r.party as right_key
            from part_edges as e
            join part_groups as l on e.left_key = l.node
            join part_groups as r on e.right_key = r.node
            where e.strength = ' ~ strength ~ ' and l.party <> r.party
            union
            select r.party, l.party
            from part_edges as e
            join part_groups as l on e.left_key = l.node
            join part_groups as r on e.right_key = r.node
            where e.strength = ' ~ strength ~ ' and l.party <> r.party
        ') -%}
        {%- do spread_sides() -%}
        {%- do create_temporary('part_undecided', '
            select t.left_key, t.right_key
            from part_ties as t
            left join part_sides as s on t.left_key = s.party
            where s.party is null
        ') -%}
        {%- do contract('part_undecided') -%}
        {%- do create_temporary('part_next_groups', '
            select g.node, coalesce(m.root, g.party) as party
            from part_groups as g
            left join component_map as m on g.party = m.node
        ') -%}
        {%- do create_temporary('part_groups', 'select * from part_next_groups') -%}
    {%- endfor -%}
    {%- do create_temporary('part_kept', '
        select e.left_key, e.right_key, e.strength
        from part_edges as e
        join part_groups as l on e.left_key = l.node
        join part_groups as r on e.right_key = r.node
        join part_sides as x on l.party = x.party
        join part_sides as y on r.party = y.party
        where x.side = y.side
    ') -%}
    {%- do create_temporary('link_next_edges', '
        select e.left_key, e.right_key, e.strength
        from link_edges as e
        join link_map as m on e.right_key = m.node
        left join link_conflicts as c on m.root = c.root
        where c.root is null
        union all
        select * from part_kept
    ') -%}
    {%- do create_temporary('link_edges', 'select * from link_next_edges') -%}
    {%- do contract('part_kept', are_distinct=true) -%}
    {%- do create_temporary('link_next_map', '
        select m.node, m.root
        from link_map as m
        left join link_conflicts as c on m.root = c.root
        where c.root is null
        union all
        select node, root from component_map
    ') -%}
    {%- do create_temporary('link_map', 'select * from link_next_map') -%}
{%- endmacro %}

{# The sides take the parties that `part_ties` lead to, one step a round, until there are no more. #}
{% macro spread_sides() -%}
    {%- set front = namespace(parties=1) -%}
    {%- for step in range(100000) if front.parties > 0 -%}
        {%- do create_temporary('part_front', '
            select t.right_key as party, min(s.side) as side
            from part_ties as t
            join part_sides as s on t.left_key = s.party
            left join part_sides as known on t.right_key = known.party
            where known.party is null
            group by t.right_key
        ') -%}
        {%- set front.parties = count_rows('part_front') | int -%}
        {%- do run_query('insert into part_sides select party, side from part_front') -%}
    {%- endfor -%}
{%- endmacro %}
