"""A model's programs as a static site: opened from disk or put on any host, without a server or a network.

plan = plan_site(workspace, model, SiteOptions())   what goes in, and about how large it will be
write_site(workspace, plan, folder)                 the files
"""

from core.sharing.site.plan import SitePlan, plan_site
from core.sharing.site.write import SiteWritten, write_site

__all__ = ["SitePlan", "SiteWritten", "plan_site", "write_site"]
