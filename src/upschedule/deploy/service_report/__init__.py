"""The service's last hours as one page: the panels of the dashboards, drawn without Grafana."""
