<?php
/* Add a member, read the entries and renew the entry with SoapClient; print what came back as JSON. */

const AGG = 'http://mds.globus.org/aggregator/types';
const DRAFT = 'http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2-draft-01.xsd';
const FINAL_ = 'http://docs.oasis-open.org/wsrf/sg-2';
const RP_DRAFT = 'http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties-1.2-draft-01.xsd';
const RP_FINAL = 'http://docs.oasis-open.org/wsrf/rp-2';

function load(string $url, string $dialect, string $soap): SoapClient
{
    return new SoapClient($url . ($dialect === 'gt4' ? '?wsdl=gt4' : '?wsdl'), [
        'cache_wsdl' => WSDL_CACHE_NONE,
        'soap_version' => $soap === '1.2' ? SOAP_1_2 : SOAP_1_1,
    ]);
}

function content(string $dialect): SoapVar
{
    $sg = $dialect === 'gt4' ? DRAFT : FINAL_;
    $type = $dialect === 'gt4'
        ? ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="a:AggregatorContent"'
        : '';
    return new SoapVar(
        '<s:Content xmlns:s="' . $sg . '" xmlns:a="' . AGG . '"' . $type . '><a:AggregatorConfig>'
        . '<a:GetResourcePropertyPollType xmlns:w="http://widgets.example/">'
        . '<a:PollIntervalMillis>60000</a:PollIntervalMillis>'
        . '<a:ResourcePropertyName>w:foo</a:ResourcePropertyName>'
        . '</a:GetResourcePropertyPollType></a:AggregatorConfig><a:AggregatorData/></s:Content>',
        XSD_ANYXML
    );
}

/* The name of the Entry property, which needs its prefix declared beside it. */
function property_name(string $dialect): SoapVar
{
    [$rp, $sg] = $dialect === 'gt4' ? [RP_DRAFT, DRAFT] : [RP_FINAL, FINAL_];
    return new SoapVar(
        '<rp:GetResourceProperty xmlns:rp="' . $rp . '" xmlns:sg="' . $sg . '">sg:Entry'
        . '</rp:GetResourceProperty>',
        XSD_ANYXML
    );
}

/* The entry's key as a header, just as the reply held it. */
function key_header(string $xml): SoapHeader
{
    $text = new SoapVar($xml, XSD_ANYXML);
    return new SoapHeader('http://mds.globus.org/index', 'ServiceGroupEntryKey', $text);
}

function operations(string $url): void
{
    $names = [];
    foreach ((new SoapClient($url, ['cache_wsdl' => WSDL_CACHE_NONE]))->__getFunctions() as $text) {
        preg_match('~ (\w+)\(~', $text, $found);
        $names[$found[1]] = true;
    }
    ksort($names);
    echo json_encode(array_keys($names)), "\n";
}

if ($argc === 2) {
    operations($argv[1]);
    exit(0);
}
[, $url, $dialect, $member, $initial, $renewed] = $argv;
$soap = $argv[6] ?? '1.1';
$group = load($url, $dialect, $soap);
$reply = $group->Add([
    'MemberEPR' => ['Address' => $member],
    'Content' => content($dialect),
    'InitialTerminationTime' => $initial,
]);
$entry = $dialect === 'gt4' ? $reply : $reply->ServiceGroupEntryReference;
$key = ($dialect === 'gt4' ? $entry->ReferenceProperties : $entry->ReferenceParameters)->any;

$found = $group->GetResourceProperty(property_name($dialect));
$port = load($url . 'Entry', $dialect, $soap);
$port->__setLocation($entry->Address->_);
$port->__setSoapHeaders([key_header($key)]);
$time = $port->SetTerminationTime(['RequestedTerminationTime' => $renewed]);

$members = [];
foreach ($found->any as $item) {
    $members[] = $item->MemberServiceEPR->Address->_;
}
preg_match('~EntryKey>([^<]+)</[^>]*EntryKey>~', $key, $inner);
echo json_encode([
    'entry' => $entry->Address->_,
    'key' => $inner[1],
    'members' => $members,
    'renewed' => $time->NewTerminationTime,
]), "\n";
