"""People's own SQL over one section or one project. Nobody's question returns a row from outside its scope.

In the order in which a question passes:

1. `lexing`     the text as ClickHouse's own lexer would cut it, without comments; what two lexers could read
                differently (braces, dollar signs, look-alike quotes) is refused
2. `checking`   exactly one SELECT, over tables and functions of two lists; `identifiers` for those who may not see
                who the learners are
3. `scopes`     the engine's own filters: a section's rows of each readable table, and no row of any other table
4. `asking`     a handle for this one question, read-only and limited, on which the filters cannot be changed
5. `explaining` what went wrong in plain words, with the place

The filters of step 3 do the work, whatever the text says; steps 1 and 2 keep out the few functions and clauses that
get around them.
"""
