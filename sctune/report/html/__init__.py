"""The report as one HTML file: findings, every volume's chain as a drawing, space, quotas, applied profiles.

`scene` keeps what of a look is shown beside the report, `page` puts both into words and figures, `render` into HTML.
"""
