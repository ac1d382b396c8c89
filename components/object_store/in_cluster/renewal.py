"""When CA and certificate of a store in the cluster are made anew.

The program cannot read its own state, so nothing knows when a certificate was made. Time is cut
into periods instead, as long as a certificate may serve before it is due; a run in a later period
makes another one. Whatever was made within a period outlives it by what the renewal needs, and two
runs in one period agree, from any checkout.
"""

import datetime

from components.settings.in_cluster import StoreCertificate


def certificate_period(certificate: StoreCertificate, today: datetime.date) -> int:
    """The period of the server's certificate: at its end there are renewBeforeDays left."""
    return today.toordinal() // (certificate.leaf_days - certificate.renew_before_days)


def authority_period(certificate: StoreCertificate, today: datetime.date) -> int:
    """The period of the CA: at its end the CA outlives every certificate made until then."""
    days = certificate.ca_days - certificate.leaf_days - certificate.renew_before_days
    return today.toordinal() // days
