"""What vendors do not send by themselves is fetched: Gmail's mails, and Razorpay's and Calendly's past.

Whatever is fetched is signed with the connection's own secret and handed in through the inbox, so it takes the same road as a webhook.
Here belongs asking: one module a vendor, one client (`http`), where reading goes on (`cursors`), handing in (`handover`). Not here: what
answers say (`core.sources`), when to ask (`core.plans`).
"""
