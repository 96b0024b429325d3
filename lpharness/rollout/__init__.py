"""From a bundle to the tools that bring it to machines; lpharness itself goes to none of them."""

from lpharness.rollout.ansible_role import export_ansible

__all__ = ["export_ansible"]
