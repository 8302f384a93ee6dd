<?php
/* Subscribe with SoapClient, renew and end the subscription; print what came back as JSON. */

const NT = [
    'oasis' => 'http://docs.oasis-open.org/wsn/b-2',
    'gt4' => 'http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd',
];
const SG = [
    'oasis' => 'http://docs.oasis-open.org/wsrf/sg-2',
    'gt4' => 'http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd',
];
const SIMPLE = [
    'oasis' => 'http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple',
    'gt4' => 'http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple',
];

function load(string $url, string $dialect, string $soap): SoapClient
{
    return new SoapClient($url . ($dialect === 'gt4' ? '?wsdl=gt4' : '?wsdl'), [
        'cache_wsdl' => WSDL_CACHE_NONE,
        'soap_version' => $soap === '1.2' ? SOAP_1_2 : SOAP_1_1,
    ]);
}

/* The topic Entry, which needs its prefix declared beside it. */
function topic(string $dialect): SoapVar
{
    return new SoapVar(
        '<n:TopicExpression xmlns:n="' . NT[$dialect] . '" xmlns:sg="' . SG[$dialect]
        . '" Dialect="' . SIMPLE[$dialect] . '">sg:Entry</n:TopicExpression>',
        XSD_ANYXML
    );
}

[, $url, $dialect, $consumer, $initial, $renewed] = $argv;
$soap = $argv[6] ?? '1.1';
$asked = ['ConsumerReference' => ['Address' => $consumer], 'InitialTerminationTime' => $initial];
$asked += $dialect === 'gt4'
    ? ['TopicExpression' => topic($dialect)]
    : ['Filter' => ['any' => topic($dialect)]];
$reply = load($url, $dialect, $soap)->Subscribe($asked);
$manager = $reply->SubscriptionReference->Address->_;

$port = load($manager, $dialect, $soap);
if ($dialect === 'gt4') {
    $time = $port->SetTerminationTime(['RequestedTerminationTime' => $renewed])->NewTerminationTime;
    $port->Destroy([]);
} else {
    $time = $port->Renew(['TerminationTime' => $renewed])->TerminationTime;
    $port->Unsubscribe([]);
}
echo json_encode(['manager' => $manager, 'renewed' => $time]), "\n";
