"""Alerts on those who watch: Prometheus, Alertmanager and Pushgateway themselves."""

from __future__ import annotations

from monitoring.rules.model import Alert, Group, Panel, Severity

_FIRING, _TARGETS = Panel("overview", "alerts-firing"), Panel("overview", "targets-up")


def watchers() -> Group:
    """Rules on the monitoring servers; of one that is quite dead nobody here can tell."""
    return Group("watchers", "Prometheus, Alertmanager and Pushgateway", (*_servers(), *_delivery()))


def _servers() -> tuple[Alert, ...]:
    return (
        Alert(
            name="MonitoringDown",
            expression='up{job=~"prometheus|alertmanager|pushgateway"} == 0',
            hold="2m",
            severity=Severity.TICKET,
            summary="{{ $labels.job }} at {{ $labels.instance }} does not answer",
            description="Its scrapes have failed for 2 minutes (up is {{ $value }}).",
            action="Start it again; without Alertmanager no alert reaches anybody.",
            panel=_TARGETS,
        ),
        Alert(
            name="PrometheusConfigReloadFailed",
            expression="prometheus_config_last_reload_successful == 0",
            hold="5m",
            severity=Severity.TICKET,
            summary="Prometheus goes on with its former configuration",
            description="Its last reload failed (the gauge is {{ $value }}): changed rules and targets do not count.",
            action="Run promtool check config on prometheus.yml, mend what it names, and reload.",
            panel=_FIRING,
        ),
        Alert(
            name="AlertmanagerConfigReloadFailed",
            expression="alertmanager_config_last_reload_successful == 0",
            hold="5m",
            severity=Severity.TICKET,
            summary="Alertmanager goes on with its former configuration",
            description="Its last reload failed (the gauge is {{ $value }}), so that changed routes do not count.",
            action="Run amtool check-config on its file, mend what it names, and reload.",
            panel=_FIRING,
        ),
        Alert(
            name="RuleEvaluationFails",
            expression="sum by (instance) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
            hold="2m",
            severity=Severity.TICKET,
            summary="Prometheus cannot evaluate some rules",
            description='In 5 minutes {{ $value | printf "%.0f" }} evaluations failed: their alerts are silent.',
            action="Read the rule and its error on Prometheus's page of rules.",
            panel=_FIRING,
        ),
    )


def _delivery() -> tuple[Alert, ...]:
    return (
        Alert(
            name="AlertmanagerNotFound",
            expression="prometheus_notifications_alertmanagers_discovered < 1",
            hold="2m",
            severity=Severity.TICKET,
            summary="Prometheus knows no Alertmanager",
            description="It has found {{ $value }} of them, so that no alert reaches anybody.",
            action="Name it under alerting in prometheus.yml, or see why it cannot be found.",
            panel=_FIRING,
        ),
        Alert(
            name="AlertsNotHandedOver",
            expression="sum by (instance) (increase(prometheus_notifications_errors_total[2m])\n"
            "  + ignoring (alertmanager) group_left () increase(prometheus_notifications_dropped_total[2m])) > 0",
            hold="3m",
            severity=Severity.TICKET,
            summary="Prometheus cannot hand alerts to Alertmanager",
            description='In the last 2 minutes about {{ $value | printf "%.0f" }} alerts could not be handed over.',
            action="See that Alertmanager answers at the address in prometheus.yml.",
            panel=_FIRING,
        ),
        Alert(
            name="NotificationsFail",
            expression="sum by (integration) (increase(alertmanager_notifications_failed_total[10m])) > 0",
            hold="5m",
            severity=Severity.TICKET,
            summary="notifications by {{ $labels.integration }} do not arrive",
            description='In 10 minutes {{ $value | printf "%.0f" }} notifications failed; they are tried again.',
            action="Read Alertmanager's log: a wrong token or chat is said there, an outage passes.",
            panel=_FIRING,
        ),
    )
