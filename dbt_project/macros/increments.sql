{#
    Increments: a build that continues the last one makes only the rows of touched keys anew (orchestration/resources/increments.py finds them
    and writes `reference.build` and `reference.touched`). A model adopts this by one line,

        config(materialized='incremental', meta={'scope': 'lead'})

    which promises that its rows of a key (scope point, lead, message or event) follow from the inputs' rows of the same key alone. Its refs then
    read `touched.<model>`, and of what comes out the rows of touched keys take the place of those that were there. These are kept as
    `anew.<model>` too, which whoever comes after it in the same invocation reads instead: the same rows, without looking for them among all. A
    model that does not adopt it is built in full and reads in full. A table or view that says `scope` without being incremental promises the
    same to its readers. Rows that follow from more than their key, if few, can be made anew in every build: `'always': "kind <> 'usage'"`.
#}

{#
    What this build is: 'anew'; 'continued', it continues the last one; 'steady', it does and so did the last one, so views that depend on
    that are as they should be. Asked once an invocation, of which `graph` is the one thing that all nodes share: asked by each it took 5 %
    of a small build.
#}
{% macro build_state() %}
    {#- who compiles with --no-introspect has no warehouse to ask -#}
    {%- set is_blind = flags.INTROSPECT is defined and not flags.INTROSPECT -%}
    {%- if not execute or not has_increments() or flags.FULL_REFRESH or is_blind -%}
        {{ return('anew') }}
    {%- endif -%}
    {%- if 'flexoraa_build_state' not in graph -%}
        {%- set state = 'anew' -%}
        {%- if adapter.get_relation(database=this.database, schema='reference', identifier='build') is not none -%}
            {%- set told = run_query('select is_steady from reference.build where previous_as_of is not null') -%}
            {%- if told.rows | length > 0 -%}
                {%- set state = 'steady' if told.rows[0][0] else 'continued' -%}
            {%- endif -%}
        {%- endif -%}
        {%- do graph.update({'flexoraa_build_state': state}) -%}
    {%- endif -%}
    {{ return(graph['flexoraa_build_state']) }}
{% endmacro %}

{# dbt's own question before it builds an incremental model. #}
{% macro should_full_refresh() %}
    {%- if model.config.materialized == 'incremental' -%}
        {{ return(build_state() == 'anew') }}
    {%- endif -%}
    {{ return(flags.FULL_REFRESH) }}
{% endmacro %}

{# The condition that a row's key was touched. #}
{% macro is_touched(scope) -%}
    {%- set keys = {'point': 'contact_point_id', 'lead': 'lead_id', 'message': 'message_id', 'event': 'event_id'} -%}
    (tenant_id, {{ keys[scope] }}) in (select keys.tenant_id, keys.key from reference.touched as keys where keys.scope = '{{ scope }}')
{%- endmacro %}

{# The condition that a row of this model is made anew: its key was touched, or it always is. #}
{% macro is_made_anew() -%}
    ({{ is_touched(model.config.meta['scope']) }}{{ ' or (' ~ model.config.meta['always'] ~ ')' if 'always' in model.config.meta }})
{%- endmacro %}

{# The strategy of incremental models: what is there of touched keys goes, what was made of them comes; in one transaction. #}
{% macro get_incremental_touched_sql(arguments) -%}
    {%- set names = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set anew = in_schema(arguments['target_relation'], 'anew') -%}
    drop table if exists {{ anew }};
    create table {{ anew }} as select {{ names }} from {{ arguments['temp_relation'] }} where {{ is_made_anew() }};
    {{ gather_statistics(anew) }};
    delete from {{ arguments['target_relation'] }} where {{ is_made_anew() }};
    insert into {{ arguments['target_relation'] }} ({{ names }}) select {{ names }} from {{ anew }}
{%- endmacro %}

{#
    The strategy of models whose rows follow from those before them in the same tenant: from the first place on that was made, what is there
    goes and what was made comes. `meta.tail` names the column of the place, and that of the key, without which a row says only its place.
#}
{% macro get_incremental_tail_sql(arguments) -%}
    {%- set names = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set tail = model.config.meta['tail'] -%}
    delete from {{ arguments['target_relation'] }} as stood using (
        select made.tenant_id, min(made.{{ tail['place'] }}) as first_place from {{ arguments['temp_relation'] }} as made group by made.tenant_id
    ) as tails
    where stood.tenant_id = tails.tenant_id and stood.{{ tail['place'] }} >= tails.first_place;
    insert into {{ arguments['target_relation'] }} ({{ names }})
    select {{ names }} from {{ arguments['temp_relation'] }} where {{ tail['key'] }} is not null
{%- endmacro %}

{# A model that says `scope`, in full also where a build continues. #}
{% macro whole(name) %}
    {{ return(builtins.ref(name)) }}
{% endmacro %}

{# A relation's namesake in another schema. #}
{% macro in_schema(relation, schema) -%}
    {{ return(api.Relation.create(database=relation.database, schema=schema, identifier=relation.identifier)) }}
{%- endmacro %}

{#
    Where the rows of touched keys of a node that says `scope` are: in `anew` once this invocation made them; else, where another one built it,
    or it is built in full, they are looked for.
#}
{% macro touched_rows(node, relation) -%}
    {%- set is_made = node.config.materialized == 'incremental' and node.unique_id in selected_resources and build_state() != 'anew' -%}
    {{ return(in_schema(relation, 'anew' if is_made else 'touched')) }}
{%- endmacro %}

{# Stands where a staging model may be restricted: see `show_touched`. #}
{% macro only_touched() -%}
    /* only touched */
{%- endmacro %}

{#
    After a model that says `scope`: what incremental models read of it, `touched.<model>`. In a build of everything that is all of it. Staging
    is restricted below its windows, where an engine cannot push a condition to by itself; statuses by message and by point, since some name no
    message.
#}
{% macro show_touched() %}
    {%- set scope = model.config.meta.get('scope') -%}
    {#- tables and views are put in place of the last ones, with which PostgreSQL drops what looks at them -#}
    {%- if scope and has_increments() and (build_state() != 'steady' or model.config.materialized != 'incremental') -%}
        {%- set body = 'select * from ' ~ this -%}
        {%- if build_state() != 'anew' -%}
            {%- set condition = is_made_anew() -%}
            {%- if '/* only touched */' in model['compiled_code'] -%}
                {%- if scope == 'message' -%}
                    {%- set condition = '(' ~ condition ~ ' or ' ~ is_touched('point') ~ ')' -%}
                {%- endif -%}
                {%- set body = model['compiled_code'] | replace('/* only touched */', 'and ' ~ condition) -%}
            {%- else -%}
                {%- set body = body ~ ' where ' ~ condition -%}
            {%- endif -%}
        {%- endif -%}
        drop view if exists touched.{{ this.identifier }};
        create view touched.{{ this.identifier }} as {{ body }}
    {%- endif -%}
{% endmacro %}

{# dbt's own, but an incremental model reads the touched rows of what says `scope`. #}
{% macro ref() %}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- if execute and model.config.materialized == 'incremental' and not relation.identifier.startswith('__dbt__cte__') -%}
        {%- set node = graph.nodes.get('model.' ~ project_name ~ '.' ~ varargs[-1]) -%}
        {%- if node and node.config.meta.get('scope') and has_increments() -%}
            {{ return(touched_rows(node, relation)) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(relation) }}
{% endmacro %}

{# What dbt's tests look at: of a build that continues another one, the rows of touched keys; of these what a test's own `where` says. #}
{% macro get_where_subquery(relation) %}
    {%- set node = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- if node and node.config.meta.get('scope') and has_increments() -%}
        {%- set relation = touched_rows(node, relation) -%}
    {%- endif -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ config.get('where') ~ ') as tested' if config.get('where') else relation) }}
{% endmacro %}
