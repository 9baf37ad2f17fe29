"""Vectors of a frozen BERT: text → tokens → windows → layers → rows.

Reading order: ``settings`` and ``layer_choice`` (what is asked for), ``units`` (text →
pieces), ``windows`` (pieces → what the encoder sees), ``rows`` (which vectors make a
row), ``batches``, ``frozen`` (the graph), ``engine`` (all of these in ten lines), then
``extraction`` (files → a store) and ``estimator`` (scikit-learn).
"""
