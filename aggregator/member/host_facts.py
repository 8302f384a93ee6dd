"""Facts about this machine in the form of GLUE 1.1 (http://mds.globus.org/glue/ce/1.1).

Sizes are in MB of 2^20 bytes, clock speeds in MHz, caches in kB, loads in hundredths, as the GLUE
schema has them. Attributes are namespace-qualified, as it demands.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil

from aggregator.registry.this_host import full_name

GLUE = "http://mds.globus.org/glue/ce/1.1"

_MB = 1024 * 1024
_FAMILIES = (socket.AF_INET, socket.AF_INET6)

ET.register_namespace("ce", GLUE)


@dataclass(frozen=True, slots=True)
class Processor:
    """The first processor; texts are empty and numbers 0 where the system does not tell."""

    vendor: str
    model: str
    version: str
    clock_speed: int
    cache: int


@dataclass(frozen=True, slots=True)
class MainMemory:
    """Memory alone, and memory and swap together (virtual), in MB."""

    size: int
    available: int
    virtual_size: int
    virtual_available: int


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A mounted file system on a disk, or the root."""

    name: str
    root: str
    size: int
    available: int
    read_only: bool
    type: str


@dataclass(frozen=True, slots=True)
class NetworkAdapter:
    """A network interface with its first address, IPv4 before IPv6."""

    name: str
    address: str
    mtu: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What GLUE wants to know of a Host. ``loads`` are those of 1, 5 and 15 minutes times 100."""

    name: str
    unique_id: str
    processor: Processor
    processors: int
    memory: MainMemory
    loads: tuple[int, int, int]
    file_systems: tuple[FileSystem, ...]
    adapters: tuple[NetworkAdapter, ...]


def read_host_facts() -> HostFacts:
    """Look at this machine now."""
    one, five, fifteen = (round(load * 100) for load in psutil.getloadavg())
    return HostFacts(
        name=socket.gethostname(),
        unique_id=full_name(),
        processor=_processor(),
        processors=psutil.cpu_count() or 1,
        memory=_memory(),
        loads=(one, five, fifteen),
        file_systems=tuple(_file_systems()),
        adapters=tuple(_adapters()),
    )


def host_xml(facts: HostFacts) -> bytes:
    """The GLUE Host element."""
    element: bytes = ET.tostring(_host(facts))
    return element


def glue_xml(facts: HostFacts) -> bytes:
    """A GLUECE document of one Cluster and SubCluster that hold this Host alone.

    Host is no global element of the schema: this is the smallest document that is valid.
    """
    document = _element("GLUECE")
    identity = {"Name": facts.name, "UniqueID": facts.unique_id}
    cluster = _add(document, "Cluster", **identity)
    _add(cluster, "SubCluster", **identity).append(_host(facts))
    text: bytes = ET.tostring(document, encoding="UTF-8", xml_declaration=True)
    return text


def _processor() -> Processor:
    facts = _cpuinfo()
    frequency = psutil.cpu_freq()
    speed = frequency.current if frequency else float(facts.get("cpu MHz") or 0)
    version = " ".join(facts[key] for key in ("cpu family", "model", "stepping") if key in facts)
    return Processor(
        vendor=facts.get("vendor_id", facts.get("CPU implementer", "")),
        model=facts.get("model name", facts.get("CPU part", platform.processor())),
        version=version,
        clock_speed=round(speed),
        cache=int(facts.get("cache size", "0").split()[0]),
    )


def _cpuinfo() -> dict[str, str]:
    """The lines of the first processor in /proc/cpuinfo."""
    try:
        first, _, _ = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory() -> MainMemory:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return MainMemory(
        size=memory.total // _MB,
        available=memory.available // _MB,
        virtual_size=(memory.total + swap.total) // _MB,
        virtual_available=(memory.available + swap.free) // _MB,
    )


def _file_systems() -> Iterator[FileSystem]:
    mounted = {part.mountpoint: part for part in psutil.disk_partitions(all=True)}
    on_disks = {part.mountpoint for part in psutil.disk_partitions()}
    for root in sorted(on_disks | {"/"}):
        part = mounted.get(root)
        try:
            if not Path(root).is_dir():  # Containers mount single files.
                continue
            usage = psutil.disk_usage(root)
        except OSError:
            continue
        yield FileSystem(
            name=part.device if part else root,
            root=root,
            size=usage.total // _MB,
            available=usage.free // _MB,
            read_only="ro" in part.opts.split(",") if part else False,
            type=part.fstype if part else "",
        )


def _adapters() -> Iterator[NetworkAdapter]:
    states = psutil.net_if_stats()
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        found = sorted(
            (_FAMILIES.index(address.family), address.address.partition("%")[0])
            for address in addresses
            if address.family in _FAMILIES
        )
        if found:
            mtu = states[name].mtu if name in states else 0
            yield NetworkAdapter(name=name, address=found[0][1], mtu=mtu)


def _host(facts: HostFacts) -> ET.Element:
    """The elements in the order of the schema."""
    host = _element("Host", Name=facts.name, UniqueID=facts.unique_id)
    _add_processor(host, facts.processor)
    _add_memory(host, facts.memory)
    system = {"Name": platform.system(), "Release": platform.release()}
    _add(host, "OperatingSystem", **system, Version=platform.version())
    _add(host, "Architecture", PlatformType=platform.machine(), SMPSize=facts.processors)
    for system_of_files in facts.file_systems:
        _add_file_system(host, system_of_files)
    for adapter in facts.adapters:
        _add(host, "NetworkAdapter", Name=adapter.name, IPAddress=adapter.address, MTU=adapter.mtu)
    one, five, fifteen = facts.loads
    _add(host, "ProcessorLoad", Last1Min=one, Last5Min=five, Last15Min=fifteen)
    return host


def _add_processor(host: ET.Element, processor: Processor) -> None:
    texts = {
        "Vendor": processor.vendor,
        "Model": processor.model,
        "Version": processor.version,
        "ClockSpeed": processor.clock_speed or "",
        "InstructionSet": platform.machine(),
        "CacheL2": processor.cache or "",
    }
    _add(host, "Processor", **{name: text for name, text in texts.items() if text})


def _add_memory(host: ET.Element, memory: MainMemory) -> None:
    virtual = {"VirtualSize": memory.virtual_size, "VirtualAvailable": memory.virtual_available}
    _add(host, "MainMemory", RAMSize=memory.size, RAMAvailable=memory.available, **virtual)


def _add_file_system(host: ET.Element, facts: FileSystem) -> None:
    space = {"Size": facts.size, "AvailableSpace": facts.available}
    read_only = "true" if facts.read_only else "false"
    names = {"Name": facts.name, "Root": facts.root}
    _add(host, "FileSystem", **names, **space, ReadOnly=read_only, Type=facts.type)


def _element(name: str, **attributes: object) -> ET.Element:
    qualified = {f"{{{GLUE}}}{key}": str(value) for key, value in attributes.items()}
    return ET.Element(f"{{{GLUE}}}{name}", qualified)


def _add(parent: ET.Element, name: str, **attributes: object) -> ET.Element:
    element = _element(name, **attributes)
    parent.append(element)
    return element
