"""Harbor: a small product-analytics service with its own database, API and pages."""
