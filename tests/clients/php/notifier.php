<?php
/* Notify a consumer with SoapClient, of a value of a property; nothing comes back. */

const RP = [
    'oasis' => 'http://docs.oasis-open.org/wsrf/rp-2',
    'gt4' => 'http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties-1.2-draft-01.xsd',
];
const NT = [
    'oasis' => 'http://docs.oasis-open.org/wsn/b-2',
    'gt4' => 'http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification-1.2-draft-01.xsd',
];
const SIMPLE = [
    'oasis' => 'http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple',
    'gt4' => 'http://docs.oasis-open.org/wsn/2004/06/TopicExpression/Simple',
];

[, $url, $dialect, $value] = $argv;
$client = new SoapClient($url . ($dialect === 'gt4' ? '?wsdl=gt4' : '?wsdl'), [
    'cache_wsdl' => WSDL_CACHE_NONE,
]);
$new = $dialect === 'gt4' ? 'NewValue' : 'NewValues';
$topic = '<n:Topic xmlns:n="' . NT[$dialect] . '" xmlns:t="urn:t" Dialect="' . SIMPLE[$dialect]
    . '">t:Load</n:Topic>';
$message = '<n:Message xmlns:n="' . NT[$dialect] . '"><rp:ResourcePropertyValueChangeNotification'
    . ' xmlns:rp="' . RP[$dialect] . "\"><rp:$new><t:Load xmlns:t=\"urn:t\">$value</t:Load></rp:$new>"
    . '</rp:ResourcePropertyValueChangeNotification></n:Message>';
$client->Notify(['NotificationMessage' => [
    'Topic' => new SoapVar($topic, XSD_ANYXML),
    'Message' => new SoapVar($message, XSD_ANYXML),
]]);
