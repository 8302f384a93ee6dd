/* Subscribe with gSOAP; or, with -DMANAGE, renew and end a subscription. Prints the address of the
   subscription, or its new end. Compiled for each WSDL, with -DGT4 against those of gt4. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "soapH.h"
#ifdef MANAGE
#include "SubscriptionManagerSOAPBinding.nsmap"
#else
#include "AggregatorServiceGroupSOAPBinding.nsmap"
#endif

static void check(struct soap *soap, int result)
{
    if (result != SOAP_OK) {
        soap_print_fault(soap, stderr);
        exit(1);
    }
}

static time_t moment(struct soap *soap, const char *text)
{
    time_t value = 0;
    check(soap, soap_s2dateTime(soap, text, &value));
    return value;
}

#ifdef MANAGE
/* URL until */
static void run(struct soap *soap, char **argv)
{
#ifdef GT4
    time_t wanted = moment(soap, argv[2]);
    struct _ns3__SetTerminationTime request;
    struct _ns3__SetTerminationTimeResponse reply;
    struct _ns3__Destroy end;
    struct _ns3__DestroyResponse ended;
    soap_default__ns3__SetTerminationTime(soap, &request);
    soap_default__ns3__Destroy(soap, &end);
    request.RequestedTerminationTime = &wanted;
    check(soap, soap_call___ns1__SetTerminationTime(soap, argv[1], NULL, &request, &reply));
    printf("%s\n", soap_dateTime2s(soap, *reply.NewTerminationTime));
    check(soap, soap_call___ns1__Destroy(soap, argv[1], NULL, &end, &ended));
#else
    struct _wsnt__Renew request;
    struct _wsnt__RenewResponse reply;
    struct _wsnt__Unsubscribe end;
    struct _wsnt__UnsubscribeResponse ended;
    soap_default__wsnt__Renew(soap, &request);
    soap_default__wsnt__Unsubscribe(soap, &end);
    request.TerminationTime = argv[2];
    check(soap, soap_call___ns1__Renew(soap, argv[1], NULL, &request, &reply));
    printf("%s\n", soap_dateTime2s(soap, reply.TerminationTime));
    check(soap, soap_call___ns1__Unsubscribe(soap, argv[1], NULL, &end, &ended));
#endif
}
#else
/* URL consumer until */
static void run(struct soap *soap, char **argv)
{
#ifdef GT4
    time_t until = moment(soap, argv[3]);
    struct _ns7__Subscribe request;
    struct _ns7__SubscribeResponse reply;
    struct ns7__TopicExpressionType topic;
    soap_default__ns7__Subscribe(soap, &request);
    soap_default_ns7__TopicExpressionType(soap, &topic);
    topic.Dialect = "http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple";
    /* The prefix that every envelope of this program declares. */
    topic.__mixed = "ns4:Entry";
    request.TopicExpression = &topic;
    request.InitialTerminationTime = &until;
    request.ConsumerReference.Address = argv[2];
    check(soap, soap_call___ns1__Subscribe(soap, argv[1], NULL, &request, &reply));
    printf("%s\n", reply.SubscriptionReference->Address);
#else
    char *topic = "<n:TopicExpression xmlns:n=\"http://docs.oasis-open.org/wsn/b-2\""
                  " xmlns:sg=\"http://docs.oasis-open.org/wsrf/sg-2\""
                  " Dialect=\"http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple\">sg:Entry"
                  "</n:TopicExpression>";
    struct _wsnt__Subscribe request;
    struct _wsnt__SubscribeResponse reply;
    struct wsnt__FilterType filter;
    soap_default__wsnt__Subscribe(soap, &request);
    soap_default_wsnt__FilterType(soap, &filter);
    filter.__size = 1;
    filter.__any = &topic;
    request.Filter = &filter;
    request.InitialTerminationTime = argv[3];
    request.ConsumerReference.Address = argv[2];
    check(soap, soap_call___ns1__Subscribe(soap, argv[1], NULL, &request, &reply));
    printf("%s\n", reply.SubscriptionReference.Address);
#endif
}
#endif

int main(int argc, char **argv)
{
    struct soap *soap = soap_new1(SOAP_C_UTFSTRING);
    run(soap, argv);
    soap_destroy(soap);
    soap_end(soap);
    soap_free(soap);
    return 0;
}
