"""XPath of the common forms, answered from tables that are kept of what is asked again and again.

An expression is cut into its constants and the rest. Of a rest that came a few times, such as
``//glue:Cluster[@glue:Name=...]``, a table is made: a row for each node that the path selects, with
the values that its conditions compare. Constants that differ from request to request then cost a
look into the table. Values are read by the same XPath library that evaluates all other expressions;
what no table can be made of goes to the evaluator.
"""
