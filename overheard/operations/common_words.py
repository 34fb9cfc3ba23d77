"""English words that are likely to be in a text about something else, when a query means the name of a product.

Used only to warn: a word that is missing here costs nothing but the advice.
"""

from __future__ import annotations

from functools import cache

# In two of a thousand comments or more (counted over 53,000 posts and comments of English Reddit), and rarely
# capitalised.
_FREQUENT = """
able about above absolutely access account accounts across actual actually add added address advance advice afford
afraid after again against age ago agree ahead all allow allowed almost alone along already also although always
amazing amount amp and angry another answer answers any anymore anyone anything anyway anywhere app apparently
application appreciate appreciated apps are area around article articles ask asked asking attention available average
avoid aware away awesome awful baby back background bad bank bar based basic basically beautiful because become bed
been before begin beginning behind being believe below best better between beyond big biggest bit black blog body book
books boot boss both bottom bought box boyfriend break bring broke brought build building built bunch business but buy
buying call called calling calls came can cannot car card care career case cash cause certain certainly chance change
changed changes charge check checked child children choice choose city class classes clean clear clearly click client
clients close code cold college come comes comfortable coming command comment comments common community companies
company complete completely computer computers confused consider considering constantly contact content continue
contract control conversation cool copy correct cost could country couple course cover crazy create created creating
credit curious current currently customer customers cut cute dad daily data date day days dead deal debt decent decide
decided decision definitely degree design desktop details developer development did didn die difference different
difficult directly discussion does doesn dog doing don done dont door down drive drop dude due dumb during each
earlier early easier easily easy eat eating edit effort either else email end ended enjoy enough entire entirely
environment error especially etc even eventually ever every everyone everything exactly example except excited expect
expected expensive experience explain explained extra extremely eyes face fact fair fairly fall family fan far fast
favorite feature feedback feel feeling feels felt few field fight figure figured file files final finally find finding
fine finish finished first fit fix fixed focus folks follow following food for forget forgot form forward found four
free friend friends from front full fully fun funny further future game games gave general generally get gets getting
girl girlfriend give given gives giving glad goal god goes going gone gonna good got gotten government great greatly
group guess guy guys had haha half hand handle hands happen happened happens happy hard has hate have having head hear
heard heart hell help helped helpful helping helps her here high higher him himself his history hit hold home honest
honestly hope hopefully hoping horrible hot hour hours house how however http https huge hurt idea ideas image imagine
imgur immediately important improve include including income index industry info information input inside install
installed instead interest interested interesting internet interview into involved issue issues its itself job jobs
joke just keep keeping kept key kid kids kill kind kinda knew know knowing knowledge known knows lack language laptop
large last late later law lead learn learned learning least leave leaving left legal less let level life light like
liked likely line lines link links list listen literally little live lives living local log lol long longer look
looked looking looks lose losing loss lost lot lots love loved low luck machine made mail main major make makes making
man manage managed management manager many market marketing married matter may maybe mean means meant media meet
memory men mention mentioned message met middle might mind mine minute minutes miss missed missing mom moment money
month months more morning most mostly mother move moved movie moving much multiple music must myself name near nearly
necessary need needed needs network never new news next nice night non none normal not note nothing notice noticed now
number numbers obvious obviously off offer offered office often okay old older once one ones online only onto open
opinion opportunity option options order original other others our out outside over own page pages paid pain parents
part particular parts party pass past pay paying people per perfect performance person personal personally phone pick
picked picture pictures piece place places plan planning play played player players playing please plus point points
poor popular position positive possible possibly post posted posting posts potential power pretty previous price
probably problem problems process product professional program programming programs progress project projects properly
provide public pull put putting quality question questions quick quickly quite ran random rate rather reach read
reading ready real realize realized really reason reasons received recent recently recommend record red regular
related relationship relationships remember reply report research resources response responses rest result results
return right room rules run running runs sad safe said sales same save saw say saying says scared school screen search
season second seconds security see seeing seem seemed seems seen self sell send sense sent series serious seriously
server service services set setting setup several sex share sharing she short shot should show showing shows sick side
sign similar simple simply since single sit site sites sitting situation size skills sleep slow small social software
solution some somehow someone something sometimes somewhere soon sorry sort sound sounds source space speak special
specific specifically spend spent stand standard start started starting starts state stay step stick still stop
stopped store stories story straight strong stuck student students stuff stupid style sub subreddit success such sucks
suggestions summer super support supposed sure surprised switch system take taken takes taking talk talked talking
teach teacher teaching team tech tell telling tells term terms terrible test text than thank thanks that the their
them themselves then there these they thing things think thinking thinks this those though thought thoughts thread
three through time times tips tired title today together told tomorrow tonight too took tools top total totally touch
towards town track training tried trouble true truly trust try trying turn turned turns twice two type under
understand understanding unless until update upon upset use used useful user users uses using usually value various
version very via video videos view wait waiting walk wall want wanted wanting wants was watch watching water way ways
web website week weekend weeks weight weird welcome well went were what whatever when where whether which while white
who whole why wife wiki will willing win wish with within without woman women won wonder wondering word words work
worked working works world worried worry worse worst worth would write writing written wrong wrote www yeah year years
yes yesterday yet you young your yourself
"""
# Rarer words that products are often named after.
_NAMES = """
accord acorn act active affirm airship ally alpine amazon amber amplitude anchor ant apex apple aqua arc arena arrow
ash aspire atlas atom aurora avalanche axe azure bamboo banana banner bard barrel basecamp bass bazaar beacon beam
bear beetle bench berry bird bitter blaze blend blender bloom blue bolt boost bottle bounce bounty brackets brave
breeze bridge brush bubble buffer bunny butter calm camel canary canvas caravan cascade castle cedar celery chain
chameleon charger chef chime chrome circle civic clarity cloud clover clue cobalt coda coil column comet compass
concur constant consul copper coral core cortex cosmos couch cove craft crane crayon crest crisp crystal cube cursor
dart dash dawn delta dice discord discover dolphin domain dot dove draft drift drip drone druid duo dynamo eagle echo
eclipse edge elastic element elixir ember emerald enterprise envoy epic escape ether evolve excel exchange explorer
express fable falcon fathom feather fiber fiesta fig firefly flame flash flask fleet flicker flint flow fluent flutter
flux force ford forge fossil fox framer frontier fusion galaxy garden gem gemini ghost gist glacier glitch glow glue
grain granite gravity grid grok grove gusto halo harbor harness harvest haven hawk haze heap helix helm hex hinge hive
honey hook hopper hue hunter icon impala indeed insight insomnia instant intercom iris ivy jaguar jasmine jasper java
journey jungle juniper karma kayak keen keystone kite kiwi kraken lambda lantern lattice lava leaf leap lens lever
lift lightning lime linear lion lithium loom loop lotus lucid lunar lynx magnet mango maple marble mars mastodon
matrix maven maverick maze medium mercury mesh meteor metro mint mirage mirror mist mode monday monster moon mosaic
motion mural muse mustang native nebula neon nest neutron nexus nomad notion nova oak oasis oath obsidian ocean
odyssey olive onyx opal opera oracle orange orbit orchid origin osprey otter outlook oxygen oyster packer panda
panther parcel patch peach pearl pebble penguin pepper perplexity phoenix pilot pine pinpoint pioneer pixel plaid
plane planet plasma plum polar pony poppy porter postman prairie presto prime prism procreate prometheus proton pulse
puma puppet puzzle python quartz quest quill quiver rabbit radar rail railway rain ramp ranger raven ray realm recoil
reef relay remix remote render replica retro ripple river roam robin rocket rogue roost root rose ruby rumble rush
rust sable safari sage sail salt sand sapphire saturn scout scratch script sentinel sentry shadow shark shell shift
shine shortcut sierra sigma signal silk sketch skiff sky slack slate slice smart snap snowflake solar solid sonar
sonic spark sparrow spectrum spell sphere spider spin spiral splash sprint sprite sprout square squid stack staples
stash steam stellar storm strata stream stride stripe studio sublime summit sun surface surge swarm sway swift
symphony tableau tango target teams tempo tent terra thistle threads thunder tide tiger tilt timber tinder titan
toggle torch tornado tower trail transit traverse tropic tulip tundra turbo turtle twist twitch typhoon ultra umbrella
unity vagrant valley vanilla vault vector velvet venture verse vertex vessel violet vision vista vital volt vortex
voyage vulcan walrus warp wasp wave waypoint weave whale whisper willow wind windows wing wise wisp wizard wolf
workable worm wren yarn zebra zen zenith zephyr zest zip zoom
"""


@cache
def common_words() -> frozenset[str]:
    """Return the words, folded."""
    return frozenset((_FREQUENT + _NAMES).split())
