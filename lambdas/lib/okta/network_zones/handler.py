"""Changes the addresses of network zones of an Okta org."""

from circulate_core.aws import caller

add_gateways = caller("okta.network_zones.add_gateways")
remove_gateways = caller("okta.network_zones.remove_gateways")
set_gateways = caller("okta.network_zones.set_gateways")
