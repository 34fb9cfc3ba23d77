"""Fields of Reddit's posts and comments that never vary here, as JSON text to be spliced in."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from .items import Kind

_NULL = """
    approved_at_utc approved_by author_flair_background_color author_flair_css_class author_flair_template_id
    author_flair_text author_flair_text_color banned_at_utc banned_by distinguished likes mod_note mod_reason_by
    mod_reason_title num_reports removal_reason report_reasons top_awarded_type
"""
_NULL_IN_POSTS = """
    category content_categories discussion_type link_flair_css_class media removed_by secure_media
    suggested_sort view_count
"""
_NULL_IN_COMMENTS = """
    associated_award collapsed_because_crowd_control collapsed_reason collapsed_reason_code comment_type
    unrepliable_reason
"""
_FALSE = """
    archived author_is_blocked author_patreon_flair author_premium can_gild can_mod_post locked saved stickied
"""
_FALSE_IN_POSTS = """
    allow_live_comments clicked contest_mode hidden hide_score is_created_from_ads_ui is_crosspostable is_meta
    is_original_content is_reddit_media_domain is_video media_only pinned quarantine spoiler visited
"""
_FALSE_IN_COMMENTS = "collapsed is_submitter quarantine score_hidden"
_LISTS = "all_awardings awarders mod_reports treatment_tags user_reports"


@lru_cache(maxsize=2)
def unchanging(kind: Kind) -> str:
    """Return the fields of a kind as JSON without the opening brace."""
    fields: dict[str, Any] = {"downs": 0, "gilded": 0, "gildings": {}, "score": 1, "subreddit_type": "public"}
    fields |= {"no_follow": True, "send_replies": True, "total_awards_received": 0, "ups": 1}
    if kind == "t3":
        fields |= {"link_flair_richtext": [], "link_flair_type": "text", "media_embed": {}, "num_crossposts": 0}
        fields |= {"pwls": 6, "secure_media_embed": {}, "upvote_ratio": 1.0, "wls": 6}
    else:
        fields |= {"controversiality": 0, "replies": ""}
    fields |= dict.fromkeys((_NULL + (_NULL_IN_POSTS if kind == "t3" else _NULL_IN_COMMENTS)).split())
    fields |= dict.fromkeys((_FALSE + (_FALSE_IN_POSTS if kind == "t3" else _FALSE_IN_COMMENTS)).split(), False)
    fields |= {name: [] for name in _LISTS.split()}
    return json.dumps(fields)[1:]
