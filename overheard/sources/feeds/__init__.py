"""RSS, Atom and JSON Feed. A place is a feed's URL, which may be secret: outputs show ``names.public_place`` of it.

names, masking     what a place is, and how it is shown
client, hosts      requests: redirects, refusals, one request per host
document           bytes to text; which format it is
xml_feed, xml_repair, json_feed    a document's entries, each parsed by itself
entries            what the formats have in common; an entry as an item
window             the cursor: which entries are known, which are new, edited or missing
"""
