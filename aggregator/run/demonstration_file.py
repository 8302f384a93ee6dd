"""The registration file of the demonstration: one member by each kind of source."""

from __future__ import annotations

from xml.sax.saxutils import escape

_BLOCKS = (
    """<agg:GetResourcePropertyPollType xmlns:glue="http://mds.globus.org/glue/ce/1.1">
          <agg:PollIntervalMillis>5000</agg:PollIntervalMillis>
          <agg:ResourcePropertyName>glue:Host</agg:ResourcePropertyName>
        </agg:GetResourcePropertyPollType>""",
    """<agg:GetMultipleResourcePropertiesPollType
            xmlns:glue="http://mds.globus.org/glue/ce/1.1"
            xmlns:md="http://mds.globus.org/metadata/2005/02">
          <agg:PollIntervalMillis>5000</agg:PollIntervalMillis>
          <agg:ResourcePropertyNames>glue:Host</agg:ResourcePropertyNames>
          <agg:ResourcePropertyNames>md:ServiceMetaDataInfo</agg:ResourcePropertyNames>
        </agg:GetMultipleResourcePropertiesPollType>""",
    """<agg:QueryResourcePropertiesPollType>
          <agg:PollIntervalMillis>5000</agg:PollIntervalMillis>
          <agg:QueryExpression Dialect="http://www.w3.org/TR/1999/REC-xpath-19991116"
            >//*[local-name()='ProcessorLoad']</agg:QueryExpression>
        </agg:QueryResourcePropertiesPollType>""",
    """<agg:ExecutionPollType>
          <agg:PollIntervalMillis>5000</agg:PollIntervalMillis>
          <agg:ProbeName>http</agg:ProbeName>
        </agg:ExecutionPollType>""",
    """<agg:AggregatorSubscriptionType>
          <agg:TopicExpression xmlns:glue="http://mds.globus.org/glue/ce/1.1"
            Dialect="http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple"
            >glue:Host</agg:TopicExpression>
        </agg:AggregatorSubscriptionType>""",
)

_REGISTRATION = """  <ServiceGroupRegistrationParameters>
    <RegistrantEPR><wsa:Address>{member}</wsa:Address></RegistrantEPR>
    <RefreshIntervalSecs>30</RefreshIntervalSecs>
    <Content xsi:type="agg:AggregatorContent">
      <agg:AggregatorConfig xsi:type="agg:AggregatorConfig">
        {block}
      </agg:AggregatorConfig>
      <agg:AggregatorData/>
    </Content>
  </ServiceGroupRegistrationParameters>
"""

#: How many entries the demonstration registers.
COUNT = len(_BLOCKS)


def registration_file(*, group: str, member: str) -> str:
    """The file, as mds-servicegroup-add reads it; `member` is registered with `group`."""
    blocks = "".join(_REGISTRATION.format(member=escape(member), block=block) for block in _BLOCKS)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ServiceGroupRegistrations
    xmlns="http://mds.globus.org/servicegroup/client"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/03/addressing"
    xmlns:agg="http://mds.globus.org/aggregator/types">
  <defaultServiceGroupEPR><wsa:Address>{escape(group)}</wsa:Address></defaultServiceGroupEPR>
{blocks}</ServiceGroupRegistrations>
"""
